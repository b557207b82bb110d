import type { Command } from 'commander'
import type { Bind, CommandContext } from '../context.ts'
import type { ExitCode } from '../failure.ts'
import { examples } from '../usage.ts'

async function serve(context: CommandContext): Promise<ExitCode> {
  const { io, out } = context
  const config = await context.loadConfig()
  const { startTokenService } = await import('@countersign/server')

  let stop = (_signal: string): void => {}
  const stopped = new Promise<string>((resolve) => {
    stop = resolve
  })
  // Listened for before the start: a signal in the middle of it must not leave a half-open store behind.
  const ignore = io.onStop((signal) => stop(signal))
  try {
    out.note('starting …')
    // stdout has the result of the command; the log goes where progress goes.
    const service = await startTokenService(config, {
      clock: io.clock,
      logDestination: { write: (line) => io.stderr.write(line) },
    })
    out.result(
      { url: service.url, issuer: service.config.issuer, metricsUrl: service.metricsUrl ?? null, pid: process.pid },
      (page) => {
        page.line(`Countersign answers at ${service.url}`)
        if (service.metricsUrl !== undefined) page.line(`metrics at ${service.metricsUrl}`)
      },
    )
    const end = await Promise.race([stopped, service.failed])
    if (typeof end === 'string') out.note(`${end}: finishing running requests …`)
    await service.close()
    if (typeof end !== 'string') throw end
    out.note('stopped')
    return 0
  } finally {
    ignore()
  }
}

export function addServe(program: Command, bind: Bind): void {
  const command = program.command('serve').description('Starts the token service and stays until SIGINT or SIGTERM.')
  examples(command, [
    ['countersign serve', 'with the nearest configuration'],
    ['COUNTERSIGN_PORT=4700 countersign serve', 'on another port'],
  ])
  command.action(bind(serve))
}
