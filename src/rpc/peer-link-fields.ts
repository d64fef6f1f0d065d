/** Fields of Follow's messages that are written and read by hand. */

/** Fields of FollowRequest and FollowResponse. */
export const Follow = { messages: 2, fragment: 3 } as const;
/** Fields of LearnerMessage and LeaderMessage that are handled by hand. */
export const Learner = { ack: 4, request: 6 } as const;
export const Leader = { proposal: 7, commit: 8, answer: 10 } as const;
