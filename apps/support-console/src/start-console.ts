import { createReporter } from '@countersign/observability'
import { openTokenService, type ResolvedConfig } from '@countersign/server'
import { systemClock } from '@countersign/tokens'
import { type ConsumerStartOptions, type RunningConsumer, startConsumer } from '@countersign-apps/kit'
import { createConsole } from './create-console.ts'
import { createDelegation } from './delegation.ts'
import { HelpDesk } from './help-desk.ts'
import { OperatorSessions, type OperatorSessionsOptions } from './operator-sessions.ts'
import { ownOrigins } from './own-origins.ts'
import { RevocationBoard } from './revocation-board.ts'
import { consumer } from './scopes.ts'

export interface ConsoleStartOptions extends Omit<ConsumerStartOptions, 'issuer'> {
  /** Of the token service, whose store is opened beside it. */
  readonly config: ResolvedConfig
  /** The console's own account: exchanges tokens, and acknowledges. */
  readonly client: { readonly id: string; readonly secret: string }
  /** The public client through which operators sign in. @default 'support-console-app' */
  readonly app?: string
  /** Where agent-api answers. @default as the matrix says */
  readonly agentApi?: string
  /** Proxies in front that append to X-Forwarded-For. @default 0 */
  readonly proxyHops?: number
  /** How long operators stay signed in. */
  readonly signIns?: OperatorSessionsOptions['limits']
}

/** Starts the support console; its usual port is 4613. */
export async function startConsole(options: ConsoleStartOptions): Promise<RunningConsumer> {
  const { config, client, app = 'support-console-app', resource, proxyHops = 0, signIns, ...common } = options
  const agentApi = options.agentApi ?? config.consumers.consumers['agent-api']?.resource
  if (agentApi === undefined) throw new TypeError('agent-api: expected where it answers, since the matrix does not say')
  const clock = systemClock
  let endStreams = (): void => undefined
  const running = await startConsumer(
    {
      acknowledgeAs: client,
      ...common,
      issuer: config.issuer,
      ...(resource === undefined ? {} : { resource }),
    },
    {
      consumer,
      usualPort: 4613,
      async make({ guard, logger, metrics, url, onClose, onFault }) {
        const report = createReporter({ logger, metrics })
        const store = await openTokenService(config, { report, onFatal: onFault })
        onClose(store)
        const { issuer } = store
        const audiences = Object.keys(config.consumers.consumers)
        const board = new RevocationBoard({ issuer, audiences, clock, onFault })
        onClose(board)
        const help = new HelpDesk(guard, clock)
        onClose(help)
        const limits = signIns === undefined ? {} : { limits: signIns }
        const operators = new OperatorSessions({ issuer, app, clock, onFault, ...limits })
        onClose(operators)
        const shown = ownOrigins(resource ?? url, url)
        const parts = {
          guard,
          issuer,
          rings: [...store.rings, store.feedRing],
          board,
          help,
          delegation: createDelegation({ issuer, client, agentApi }),
          operators,
          clock,
          origins: shown.origins,
          onFault,
        }
        const made = createConsole(parts, { isSecure: shown.isSecure, proxyHops })
        endStreams = () => made.streams.close()
        return made.app
      },
    },
  )
  return {
    ...running,
    async close() {
      endStreams()
      await running.close()
    },
  }
}
