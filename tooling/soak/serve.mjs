// Serves the configuration given as JSON until its parent goes.
import { resolveConfig, startTokenService } from '@countersign/server'

const [input = '', baseDir = ''] = process.argv.slice(2)
const service = await startTokenService(await resolveConfig(JSON.parse(input), { baseDir }), {
  logDestination: { write: () => {} },
})
process.on('disconnect', () => {
  void service.close().then(() => process.exit(0))
})
process.send?.({ url: service.url })
