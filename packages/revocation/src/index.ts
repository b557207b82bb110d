export type { RevokedBy } from './check-principal.ts'
export type { FeedPosition, RevocationEntry, RevocationEvent } from './entry.ts'
export {
  isRevocationError,
  RevocationError,
  type RevocationErrorCode,
  revocationErrorCodes,
  revocationRemedies,
} from './errors.ts'
export type { FeedEvent, FeedPath } from './feed-events.ts'
export { type KeyNews, withFeedKeys } from './feed-keys.ts'
export { followRevocations, type RevocationFollower } from './follow-revocations.ts'
export { checkFollowOptions, type FollowLimits, type FollowOptions } from './follower-options.ts'
export { type Freshness, type FreshnessLevel, type FreshnessPolicy, levelAt } from './freshness.ts'
export { type FeedHead, feedMediaType, feedType } from './head.ts'
export type { GetToken } from './internal/acknowledger.ts'
export type { Acknowledgement, AcknowledgementStore, FeedRead, RevocationLog } from './ports.ts'
export { comparePositions, readPosition, writePosition } from './position-text.ts'
export { type FeedMessage, type ReadMessageOptions, readMessage } from './read-message.ts'
export { writeServerSent } from './server-sent.ts'
export { signDelta, signHead, signSnapshot } from './sign-message.ts'
export { type SnapshotBody, writeSnapshotBody } from './snapshot-body.ts'
export {
  createRevocationView,
  type Drift,
  type RevocationListener,
  type RevocationView,
  type RevocationViewOptions,
  type Snapshot,
} from './view.ts'
