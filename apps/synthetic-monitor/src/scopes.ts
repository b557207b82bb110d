import { consumers } from '@countersign-apps/token-service/consumers'

/** This service's entry in the fleet's matrix. */
export const consumer = consumers['synthetic-monitor']

export type Scope = keyof typeof consumer.scopes

/** Whom the probes call. */
export const agentApi = consumers['agent-api']

export type AgentScope = keyof typeof agentApi.scopes

/** Without side effects: a probe is let in. Both audiences have it, so a token may be exchanged for it. */
export const lookScope: Scope & AgentScope = 'agents:read'

/** With side effects: a probe's token has it, and must be refused for it all the same. */
export const changeScope: AgentScope = 'chat:write'
