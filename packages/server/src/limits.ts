/** A request whose transaction meets a conflict is decided anew this often: enough for a hot role, few enough to end. */
export const decisionAttemptsMax = 8;
/** A request without a deadline of its own gets this long: longer than two elections, shorter than clients' own 60 s. */
export const requestDeadlineMs = 30_000;
/** Longest deadline that a caller may ask for; Vault's default_max_request_duration. */
export const requestDeadlineMsMax = 90_000;
/** Requests under way on one node. At 2 ms each this is several seconds of work: more would only time out. */
export const requestsUnderWayMax = 20_000;
/** Results of the newest entries are kept for origins whose answer comes after the apply: many turns' worth. */
export const recentEntriesMax = 1024;
/** How long an idempotency key is remembered, in log time (design: 10 minutes). */
export const rememberedMs = 600_000;
/** An idempotency key is hashed; longer ones are a mistake. */
export const idempotencyKeyLengthMax = 255;
/** A repeat that would take a credential's place waits this long for word that its caller has hung up: some turns of a busy event loop. */
export const repeaterLeavesMs = 25;
/** A stored reply above this is not remembered: the log is no cache. */
export const rememberedReplyBytesMax: number = 64 * 1024;
/** The state is fsynced at least this often while it changes, so that compaction can proceed. */
export const stateSyncMs = 1_000;
/** Heavy work (RSA keys) waiting for a worker; beyond it the caller is told to come back. */
export const offloadQueueMax = 64;
/** Worker threads for heavy work: a node shares its machine with consensus, which must not wait. */
export const offloadWorkersMax = 2;
/** What one transaction of the sweeper forgets: some tens of kilobytes, applied in a few milliseconds, so that requests go between. */
export const sweepKeysMax = 512;
/** Tokens that one round looks at for those whose ancestors have ended: a million are walked in five hours, at no cost to speak of. */
export const sweepWalkMax = 256;
/** Disabled mounts looked at in one round. One is enough: the next round takes the next. */
export const disabledMountsMax = 1;
/** How often a leader looks for what is over. What has expired is refused at once; only its room is freed later. */
export const sweepEveryMs = 5_000;
/** A round that takes longer has no quorum. */
export const sweepDeadlineMs = 10_000;
/** A failing audit sink fails for every request: the log hears of it this often. */
export const sinkFailureLogMs = 10_000;
