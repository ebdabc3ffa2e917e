/** How long a change waits for one that is under way, and how often it asks: such a one takes a few round trips. */
export const pendingChangeWaitMs = 2_000;
export const pendingChangeAskMs = 50;
