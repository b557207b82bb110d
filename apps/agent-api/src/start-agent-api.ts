import { type ConsumerStartOptions, type RunningConsumer, startConsumer } from '@countersign-apps/kit'
import { type CheckoutOptions, createCheckout } from './checkout.ts'
import { createAgentApi } from './create-agent-api.ts'
import { type AgentApiConsumer, consumer as fleetConsumer } from './scopes.ts'
import { createSupport, type SupportOptions } from './support.ts'

export interface StartOptions extends ConsumerStartOptions {
  /** @default the fleet's own entry */
  readonly consumer?: AgentApiConsumer
  /** Where orders are billed, and as whom this service exchanges its customers' tokens. @default nothing can be bought */
  readonly checkout?: Omit<CheckoutOptions, 'issuer'>
  /** Where customers' requests for help go, and as whom this service exchanges their tokens. @default nobody can be asked */
  readonly support?: Omit<SupportOptions, 'issuer'>
}

export const usualPort = 4610

/** Starts the agent API. */
export function startAgentApi(options: StartOptions): Promise<RunningConsumer> {
  const { issuer, consumer = fleetConsumer } = options
  return startConsumer(options, {
    consumer,
    usualPort,
    webSockets: true,
    make({ guard, server, report, onFault, onClose, beforeClose }) {
      const checkout = options.checkout && createCheckout({ issuer, ...options.checkout })
      if (checkout !== undefined) onClose(checkout)
      const support = options.support && createSupport({ issuer, ...options.support })
      if (support !== undefined) onClose(support)
      const { app, sockets } = createAgentApi({
        guard,
        onFault,
        chat: { onEvent: report.webSocket },
        ...(checkout === undefined ? {} : { checkout }),
        ...(support === undefined ? {} : { support }),
      })
      sockets.mount(server, '/chat')
      beforeClose(sockets)
      return app
    },
  })
}
