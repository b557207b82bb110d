// One start of an auth module in a directory that is not there: how long until a token of a new user is validated.
// usage: embedded-start.mjs DIRECTORY

const startedAt = performance.now()
const { createAuthModule } = await import('@countersign/embedded')
const importedAt = performance.now()
const cpuBefore = process.cpuUsage()
const dataDir = process.argv[2]
if (dataDir === undefined) throw new Error('no directory was given')
const auth = await createAuthModule({ dataDir })
const createdAt = performance.now()
await auth.users.add('ada', 'correct horse battery staple')
const result = await auth.authenticate('ada', 'correct horse battery staple')
if (!result.success) throw new Error(result.error)
if ((await auth.validateToken(result.token)) === null) throw new Error('the token is not valid')
const validatedAt = performance.now()
const cpu = process.cpuUsage(cpuBefore)
await auth.close()
process.stdout.write(
  `${JSON.stringify({
    importMs: importedAt - startedAt,
    createMs: createdAt - importedAt,
    startMs: validatedAt - importedAt,
    cpuMs: (cpu.user + cpu.system) / 1_000,
  })}\n`,
)
