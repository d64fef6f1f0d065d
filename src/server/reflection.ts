/**
 * Server reflection, so that grpcurl and its like work without the .proto files. The descriptors are read when somebody
 * first asks: most servers are never asked, and at each start they would take 100 ms and 10 MB.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type {
  handleBidiStreamingCall,
  MethodDefinition,
  Server,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";

const files = [
  "zabtree/v1/session.proto",
  "zabtree/v1/tree.proto",
  "zabtree/v1/watch.proto",
  "zabtree/admin/v1/cluster.proto",
];

const versions = ["grpc.reflection.v1", "grpc.reflection.v1alpha"];
const methodName = "ServerReflectionInfo";

/** The one method of a version of the service. */
interface Reflection {
  readonly method: MethodDefinition<object, object>;
  readonly handle: handleBidiStreamingCall<object, object>;
}

let loaded: ReadonlyMap<string, Reflection> | undefined;

/** By path of the method. */
function reflections(): ReadonlyMap<string, Reflection> {
  return (loaded ??= load());
}

function load(): ReadonlyMap<string, Reflection> {
  // Not `import`: what asks for it cannot wait.
  const require = createRequire(import.meta.url);
  const { loadSync } = require("@grpc/proto-loader") as typeof import("@grpc/proto-loader");
  const { ReflectionService } = require("@grpc/reflection") as typeof import("@grpc/reflection");
  const protoDirectory = fileURLToPath(new URL("../../proto", import.meta.url));
  const found = new Map<string, Reflection>();
  const collector = {
    addService(service: ServiceDefinition, implementation: UntypedServiceImplementation): void {
      const method = service[methodName] as MethodDefinition<object, object>;
      found.set(method.path, { method, handle: implementation[methodName] as handleBidiStreamingCall<object, object> });
    },
  };
  new ReflectionService(loadSync(files, { includeDirs: [protoDirectory] })).addToServer(collector);
  return found;
}

export function addReflection(server: Server): void {
  for (const version of versions) {
    const path = `/${version}.ServerReflection/${methodName}`;
    const reflection = (): Reflection => reflections().get(path)!;
    const definition: MethodDefinition<object, object> = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: (message) => reflection().method.requestSerialize(message),
      requestDeserialize: (bytes) => reflection().method.requestDeserialize(bytes),
      responseSerialize: (message) => reflection().method.responseSerialize(message),
      responseDeserialize: (bytes) => reflection().method.responseDeserialize(bytes),
    };
    const handle: handleBidiStreamingCall<object, object> = (call) => {
      reflection().handle(call);
    };
    server.addService({ [methodName]: definition }, { [methodName]: handle });
  }
}
