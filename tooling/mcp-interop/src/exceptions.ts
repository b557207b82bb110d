import type { RunId } from './runs.ts'

const subscriptions =
  '`McpServer` has no subscriptions to single resources under this protocol, and the guard serves nothing that it does not know; under 2026-07-28 `subscriptions/listen` has them'
const resuming = 'a stream that was cut is not resumed: the guard keeps no answer for a later request'
const draft7 = 'SDK 1.x takes schemas of zod only, and writes them as JSON Schema draft 7'
const streams = 'SDK 2.x serves this protocol without sessions, which the scenario is about'
const asking =
  'SDK 2.x serves this protocol without sessions, so a tool cannot ask the client while it runs; under 2026-07-28 it answers with its question'

const firstGeneration = {
  'json-schema-2020-12': draft7,
  'resources-subscribe': subscriptions,
  'resources-unsubscribe': subscriptions,
  'server-sse-polling': resuming,
}

/**
 * Scenarios that cannot pass, with the reason. One that passes nonetheless is a fault of this list, and fails the run.
 */
export const exceptions: Readonly<Record<RunId, Readonly<Record<string, string>>>> = {
  'stable-v1': firstGeneration,
  'stable-v2': {
    'elicitation-sep1034-defaults': asking,
    'elicitation-sep1330-enums': asking,
    'resources-subscribe': subscriptions,
    'resources-unsubscribe': subscriptions,
    'server-sse-multiple-streams': streams,
    'server-sse-polling': resuming,
    'tools-call-elicitation': asking,
    'tools-call-sampling': asking,
  },
  'next-v1': firstGeneration,
  'next-v2': {},
}
