/** What this server knows of itself and of the other members, in the words of ClusterService. */
import { create } from "@bufbuild/protobuf";
import { MemberSchema, ServerRole, type Member } from "../../gen/ts/zabtree/admin/v1/cluster_pb.js";
import type { Replica } from "../replica/replica.ts";
import type { Notification } from "../zab/message.ts";
import type { ServerCore } from "./core.ts";
import type { MemberNews } from "./peer-network.ts";

/** The part that this server plays. */
export function ownRole(core: ServerCore): ServerRole {
  const { replica } = core;
  if (replica.serving) return servingRole(replica, core.memberId);
  if (replica.peer.recovering !== undefined) return ServerRole.RECOVERING;
  return replica.role === "forming" ? ServerRole.FORMING : ServerRole.LOOKING;
}

function servingRole(replica: Replica, id: number): ServerRole {
  if (replica.role === "leading") return ServerRole.LEADING;
  return isVoter(replica, id) ? ServerRole.FOLLOWING : ServerRole.OBSERVING;
}

function isVoter(replica: Replica, id: number): boolean {
  return replica.peer.members.some((member) => member.id === id && member.voter);
}

/** All members, by their ids. */
export function listMembers(core: ServerCore): Member[] {
  const { replica, network } = core;
  const acked = new Map(replica.peer.learners.map(({ member, ackedZxid }) => [member, ackedZxid]));
  const synced = new Set(replica.peer.learners.filter((learner) => learner.synced).map(({ member }) => member));
  const now = performance.now();
  return [...replica.peer.members]
    .sort((a, b) => a.id - b.id)
    .map(({ id, voter }) => {
      if (id === core.memberId) return ownEntry(core, voter);
      const news = network?.newsOf(id);
      const isSynced = replica.role === "leading" ? synced.has(id) : undefined;
      return create(MemberSchema, {
        memberId: BigInt(id),
        voter,
        peerAddress: news?.address ?? "",
        clientAddress: news?.clientAddress ?? "",
        role: news?.said === undefined ? ServerRole.UNSPECIFIED : roleOf(news.said, voter, isSynced),
        ...heardOf(news, now),
        ackedZxid: BigInt(acked.get(id) ?? news?.said?.last.zxid ?? 0),
        connected: news?.isConnected ?? false,
      });
    });
}

function heardOf(news: MemberNews | undefined, now: number): { lastHeardMs?: bigint } {
  return news?.heardAt === undefined ? {} : { lastHeardMs: BigInt(Math.round(now - news.heardAt)) };
}

function ownEntry(core: ServerCore, voter: boolean): Member {
  return create(MemberSchema, {
    memberId: BigInt(core.memberId),
    voter,
    peerAddress: core.peerAddress,
    clientAddress: core.clientAddress,
    role: ownRole(core),
    lastHeardMs: 0n,
    ackedZxid: BigInt(core.replica.lastLoggedZxid),
    connected: true,
  });
}

/** `isSynced`: what a leader knows of its learner; a notification only says whom it follows. */
function roleOf(said: Notification, voter: boolean, isSynced: boolean | undefined): ServerRole {
  switch (said.state) {
    case "leading":
      return ServerRole.LEADING;
    case "following":
      if (isSynced === false) return ServerRole.LOOKING;
      return voter ? ServerRole.FOLLOWING : ServerRole.OBSERVING;
    case "forming":
      return ServerRole.FORMING;
    case "looking":
      return ServerRole.LOOKING;
  }
}

/** What every member should know of the ensemble as a whole. */
export function quorumFacts(core: ServerCore): { voters: number; quorum: number; syncedLearners: number } {
  const { peer } = core.replica;
  const voters = peer.members.filter(({ voter }) => voter).length;
  const syncedLearners = peer.learners.filter(({ synced }) => synced).length;
  return { voters, quorum: Math.floor(voters / 2) + 1, syncedLearners };
}
