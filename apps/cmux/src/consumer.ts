import { defineConsumers } from '@countersign/consumers'

const sevenDaysSeconds = 604_800

/** Two levels and nothing between: who may start commands, and who may read and write the feed. */
export const consumers = defineConsumers({
  cmux: {
    description: 'A developer tool on localhost: a live feed, and commands.',
    scopes: {
      admin: { sensitive: true, sideEffects: true, description: 'Start and stop commands.' },
      service: { sideEffects: true, description: 'Read the feed and post notes to it.' },
    },
    accessTokenLifeSeconds: sevenDaysSeconds,
    obtainedBy: 'sign-in',
  },
})

export const consumer = consumers.cmux

export type Scope = keyof typeof consumer.scopes
