import type { Command } from "commander";
import Table from "cli-table3";
import { ServerRole } from "../../client/index.ts";
import { memberStates, type EnsembleState, type MemberState } from "../ensemble-state.ts";
import { count, duration, noBorders, pairs, size, trimmedLines } from "../format.ts";
import { bold } from "../output.ts";
import { connectOptions, finishClientCommand, optionsOf, outputOf } from "../settings.ts";

export function registerStatus(program: Command): void {
  const command = program
    .command("status")
    .summary("print the state of the servers")
    .description(
      "Asks a server for the members of its ensemble, then each of them for its state, and prints a table. Of a server " +
        "that stands alone, or with --details, it prints everything that the server says about itself.",
    )
    .option("--details", "everything about the server asked, and nothing of the others")
    .action(async (_options: unknown, command: Command) => {
      const flags = optionsOf<{ details?: boolean }>(command);
      const state = await memberStates(connectOptions(flags), flags.details !== true);
      await outputOf(command).result(stateJson(state), () =>
        state.members.length > 1 ? table(state) : details(state.asked),
      );
    });
  finishClientCommand(command, [
    "zabtree status",
    "zabtree status --details",
    "zabtree status --json | jq .committedZxid",
    "zabtree status --json | jq '.members[] | {memberId, role, zxid}'",
  ]);
}

/** The server asked as an object, and with it all members. */
function stateJson({ asked, leaderId, members }: EnsembleState): object {
  return { ...statusJson(asked), leaderId, members: members.map(memberJson) };
}

function statusJson({ server, status }: EnsembleState["asked"]): object {
  const { $typeName: _type, $unknown: _unknown, header, ...fields } = status;
  return {
    server,
    clusterId: header?.clusterId,
    memberId: header?.memberId,
    epoch: header?.epoch,
    zxid: header?.zxid,
    ...fields,
    role: ServerRole[status.role],
  };
}

function memberJson({ member, status, error }: MemberState): object {
  const { $typeName: _type, $unknown: _unknown, ...known } = member;
  const own = status === undefined ? {} : statusJson({ server: member.clientAddress, status });
  return {
    ...known,
    ...own,
    role: ServerRole[status?.role ?? member.role],
    answers: status !== undefined,
    ...(error === undefined ? {} : { error }),
  };
}

function details({ server, status }: EnsembleState["asked"]): string {
  const { header } = status;
  return pairs([
    ["server", `${server} (member ${header?.memberId ?? 0}, version ${status.version})`],
    ["cluster", header?.clusterId ?? ""],
    ["role", `${roleText(status.role)}, epoch ${header?.epoch ?? 0}`],
    ...(status.recoveringReason === "" ? [] : [["recovering", status.recoveringReason] as const]),
    ...(status.voters > 1
      ? [["ensemble", `leader ${status.leaderId}, ${status.voters} voters, quorum ${status.quorum}`] as const]
      : []),
    ["up for", duration(status.uptimeMs)],
    ["applied", `transaction ${header?.zxid ?? 0}`],
    ["log", `${status.oldestZxid} to ${status.lastLoggedZxid}, ${size(status.logBytes)}`],
    ["committed", `transaction ${status.committedZxid}`],
    ["checkpoint", `transaction ${status.checkpointZxid}, ${size(status.checkpointBytes)}`],
    ["digest", status.digest],
    ["tree", `${count(status.znodes, "znode")}, ${size(status.dataBytes)} of data`],
    ["ephemerals", String(status.ephemerals)],
    ["sessions", `${status.sessions} (${status.attachedSessions} attached here)`],
    ["watches", String(status.watches)],
    ["memory", size(status.residentBytes)],
  ]);
}

const columns = ["member", "address", "role", "epoch", "applied", "digest", "sessions", "up for"];

function table({ asked, leaderId, members }: EnsembleState): string {
  const { header, voters, quorum } = asked.status;
  const answering = members.filter(({ status }) => status !== undefined).length;
  const leader = leaderId === 0n ? "no leader" : `leader ${leaderId}`;
  const table = new Table({
    head: columns.map(bold),
    chars: noBorders,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const state of members) table.push(row(state));
  return [
    `cluster ${header?.clusterId ?? ""}: ${leader}, ${count(voters, "voter")}, quorum ${quorum}, ` +
      `${answering} of ${count(members.length, "member")} answer`,
    "",
    trimmedLines(table.toString()),
  ].join("\n");
}

function row({ member, status, error }: MemberState): string[] {
  const id = `${member.memberId}${member.voter ? "" : " (observer)"}`;
  const address = member.clientAddress === "" ? member.peerAddress : member.clientAddress;
  if (status === undefined) {
    const heard = member.lastHeardMs === undefined ? "" : `, heard of ${duration(member.lastHeardMs)} ago`;
    return [id, address, `${error ?? "no answer"}${heard}`, "", "", "", "", ""];
  }
  const { header } = status;
  return [
    id,
    address,
    roleText(status.role),
    String(header?.epoch ?? 0),
    String(header?.zxid ?? 0),
    status.digest,
    `${status.attachedSessions} of ${status.sessions}`,
    duration(status.uptimeMs),
  ];
}

export function roleText(role: ServerRole): string {
  return ServerRole[role].toLowerCase();
}
