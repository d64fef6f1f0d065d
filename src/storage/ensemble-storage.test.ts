/** The SQLite storage in the scenarios that the simulator's disk goes through, too. */
import { SteppedStore, ThreadedStore } from "../../test/support/sqlite-stores.ts";
import { storageScenarios } from "../../test/support/storage-scenarios.ts";

storageScenarios("SQLite, with its threads", { make: () => ThreadedStore.make(), canCrashAtPoints: false });
storageScenarios("SQLite, step by step", { make: () => SteppedStore.make(), canCrashAtPoints: true });
