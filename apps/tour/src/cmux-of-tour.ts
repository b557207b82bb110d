import { randomBytes } from 'node:crypto'
import { type RunningCmux, readConfig, startCmux } from '@countersign-apps/cmux'

/** cmux as the tour runs it: it can be started anew with another password, over the same data. */
export interface CmuxOfTour {
  readonly url: string
  restart(password: string): Promise<void>
  close(): Promise<void>
}

export const newPassword = (): string => randomBytes(24).toString('base64url')

export async function startCmuxOfTour(options: {
  readonly port: number
  readonly dataDir: string
  readonly password: string
  readonly logDestination: { write(line: string): unknown }
}): Promise<CmuxOfTour> {
  const { port, dataDir, logDestination } = options
  const config = readConfig({
    CMUX_PORT: String(port),
    CMUX_DATA_DIR: dataDir,
    CMUX_WORKDIR: '.',
    CMUX_LOG_LEVEL: 'debug',
  })
  const start = (password: string): Promise<RunningCmux> => startCmux(config, password, { logDestination })
  let running: RunningCmux | undefined = await start(options.password)
  return {
    url: running.url,
    async restart(password) {
      await running?.close()
      running = undefined
      running = await start(password)
    },
    async close() {
      await running?.close()
    },
  }
}
