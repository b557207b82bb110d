import type { ConsumerLike } from '@countersign/guard'
import { consumers } from '@countersign-apps/token-service/consumers'

/** This service's entry in the fleet's matrix. */
export const consumer = consumers['agent-api']

export type Scope = keyof typeof consumer.scopes

export type AgentApiConsumer = ConsumerLike<Scope>
