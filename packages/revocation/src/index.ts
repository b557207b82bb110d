export type { FeedPosition, RevocationEntry, RevocationEvent } from './entry.ts'
export type { Acknowledgement, AcknowledgementStore, FeedRead, RevocationLog } from './ports.ts'
