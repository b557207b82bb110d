import { consumers } from '@countersign-apps/token-service/consumers'

/** This service's entry in the fleet's matrix. */
export const consumer = consumers['billing-worker']

export type Scope = keyof typeof consumer.scopes
