/** Asks a server for the members of its ensemble, and each of them for its state. */
import {
  connect,
  type ConnectOptions,
  type Connection,
  type GetStatusResponse,
  type Member,
  ZabtreeError,
} from "../client/index.ts";

export interface MemberState {
  /** As the server asked sees it. */
  readonly member: Member;
  /** As it sees itself; undefined when it does not answer. */
  readonly status: GetStatusResponse | undefined;
  /** Why it does not. */
  readonly error: string | undefined;
}

export interface EnsembleState {
  readonly asked: { readonly server: string; readonly status: GetStatusResponse };
  readonly leaderId: bigint;
  readonly members: readonly MemberState[];
}

/** How long a member may take to answer, milliseconds: one that is down must not hold up the others. */
const memberTimeoutMs = 2000;

/** `others`: whether the other members are asked too. Throws when no server answers. */
export async function memberStates(options: ConnectOptions, others: boolean): Promise<EnsembleState> {
  const connection = await connect(options);
  try {
    const status = await connection.cluster.getStatus({});
    const asked = { server: connection.server, status };
    if (!others) return { asked, leaderId: status.leaderId, members: [] };
    const { leaderId, members } = await connection.cluster.listMembers({});
    const states = members.map(async (member) => {
      if (member.memberId === status.header?.memberId) return { member, status, error: undefined };
      return await stateOf(member, options);
    });
    return { asked, leaderId, members: await Promise.all(states) };
  } finally {
    connection.close();
  }
}

async function stateOf(member: Member, options: ConnectOptions): Promise<MemberState> {
  if (member.clientAddress === "") {
    return { member, status: undefined, error: "its address for clients is not known" };
  }
  const timeoutMs = Math.min(options.timeoutMs ?? memberTimeoutMs, memberTimeoutMs);
  let connection: Connection | undefined;
  try {
    connection = await connect({ ...options, server: member.clientAddress, timeoutMs });
    return { member, status: await connection.cluster.getStatus({}), error: undefined };
  } catch (error) {
    const isDown = error instanceof ZabtreeError && error.reason === undefined;
    return { member, status: undefined, error: isDown ? "does not answer" : (error as Error).message };
  } finally {
    connection?.close();
  }
}
