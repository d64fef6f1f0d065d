/** Where the process starts. */

// The gRPC library would print lines of its own beside the one that says what went wrong. It looks when it is loaded.
process.env["GRPC_VERBOSITY"] ??= "NONE";

// `zabtree ls / | head` closes the pipe early; that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const { runProgram } = await import("./program.ts");
process.exitCode = await runProgram(process.argv.slice(2));
