import { type ConsumerStartOptions, type RunningConsumer, startConsumer } from '@countersign-apps/kit'
import { mcpRoutes, reportCalls, resourceOf } from '@countersign-apps/kit/mcp'
import { createCoderServer } from './coder-server.ts'
import { consumer } from './scopes.ts'
import { openTools, type ToolsOptions } from './tools/open-tools.ts'

export interface CoderOptions extends ConsumerStartOptions, ToolsOptions {}

export interface RunningCoder extends RunningConsumer {
  /** Why there is no `run_command`; undefined if there is. */
  readonly noCommands: string | undefined
  /** How many commands run. */
  running(): number
}

/** Starts the coder over HTTP; its usual port is 4616, its endpoint `/mcp`. */
export async function startCoder(options: CoderOptions): Promise<RunningCoder> {
  const opened = await openTools(options)
  try {
    const running = await startConsumer(options, {
      consumer,
      usualPort: 4616,
      surfaces: ['mcp'],
      async make({ guard, logger, url, onFault, beforeClose }) {
        const { tools, noCommands } = opened
        if (noCommands !== undefined) logger.warn('there is no command tool', { reason: noCommands })
        const guarded = createCoderServer({ guard, tools, onEvent: reportCalls(logger), onFault })
        const http = await guarded.http({
          resource: resourceOf(guard, url),
          baselineScopes: ['coder:read'],
          realm: consumer.audience,
        })
        beforeClose(http)
        return mcpRoutes({ guard, realm: consumer.audience, mcp: http.node, onFault })
      },
    })
    const close = async (): Promise<void> => {
      await running.close()
      await opened.close()
    }
    return { ...running, noCommands: opened.noCommands, running: opened.running, close }
  } catch (error) {
    await opened.close()
    throw error
  }
}
