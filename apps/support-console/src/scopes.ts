import { consumers } from '@countersign-apps/token-service/consumers'

/** This service's entry in the fleet's matrix. */
export const consumer = consumers['support-console']

export type Scope = keyof typeof consumer.scopes

/** What makes somebody an operator; `conversations:read` is the customers' own. */
export const operatorScopes: readonly Scope[] = ['sessions:read', 'sessions:revoke', 'keys:read', 'help:answer']
