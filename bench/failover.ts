/** How long nobody can write when the leader dies, or stands still. */
import { BenchEnsemble, pause, RetryingWriter } from "./bench-ensemble.ts";
import type { Workload } from "./workload.ts";

/** Answers after which the ensemble is taken to work again. */
const answers = 50;

export const failover: Workload = {
  name: "failover",
  async run(settings, report) {
    const { kills, pauses } = settings.repetitions > 1 ? { kills: 30, pauses: 5 } : { kills: 7, pauses: 2 };
    const ensemble = await BenchEnsemble.start(3, settings.dataDir);
    const writer = new RetryingWriter(ensemble);
    const writing = writer.run().catch((error: unknown) => {
      // Closing its connections ends it with an error.
      if (!stopped) throw error;
    });
    let stopped = false;
    const gap = async (signal: "SIGKILL" | "SIGSTOP"): Promise<number> => {
      await pause(1500);
      const leader = await ensemble.leader();
      writer.restart();
      if (signal === "SIGKILL") await leader.kill();
      else leader.signal(signal);
      const goal = writer.acknowledged + answers;
      while (writer.acknowledged < goal) await pause(20);
      const { longestGapMs } = writer;
      if (signal === "SIGKILL") leader.start();
      else leader.signal("SIGCONT");
      await ensemble.untilServing();
      return longestGapMs;
    };
    const killed: number[] = [];
    for (let count = 0; count < kills; count++) killed.push(await gap("SIGKILL"));
    report.add({ name: "leader killed: no answer for", unit: "ms", goal: { atMost: 150 }, values: killed });
    const paused: number[] = [];
    for (let count = 0; count < pauses; count++) paused.push(await gap("SIGSTOP"));
    report.add({ name: "leader paused: no answer for", unit: "ms", goal: { atMost: 1500 }, values: paused });
    stopped = true;
    writer.stop();
    await writing;
    await ensemble.end();
  },
};
