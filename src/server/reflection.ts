/** Server reflection, so that grpcurl and its like work without the .proto files. */
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

const files = [
  "zabtree/v1/session.proto",
  "zabtree/v1/tree.proto",
  "zabtree/v1/watch.proto",
  "zabtree/admin/v1/cluster.proto",
];

export function reflectionService(): ReflectionService {
  const protoDirectory = fileURLToPath(new URL("../../proto", import.meta.url));
  return new ReflectionService(loadSync(files, { includeDirs: [protoDirectory] }));
}
