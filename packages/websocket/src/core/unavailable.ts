/** Milliseconds that a client is asked to wait where nobody can say yet. */
export const unavailableRetryMs = 5000
