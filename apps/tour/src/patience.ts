/**
 * How long the tour waits for anything. Most of it takes some milliseconds, which the steps tell; but the machine may
 * have other work, and that is no fault of the fleet.
 */
export const patienceMs = 60_000
