export { type BackUpOptions, backUpService, databaseOf, type Operator } from './back-up-service.ts'
export {
  defineConfig,
  type KeysConfig,
  type LogLevel,
  type RevocationsConfig,
  type TokenServiceConfig,
} from './config.ts'
export { type CopyOptions, copyServiceDatabase, planServiceCopy } from './copy-database.ts'
export { createDataDir, type DataDirOptions } from './data-dir.ts'
export { httpLimits, type ListeningServer, type ListenOptions, listen, type RequestHandler } from './http-server.ts'
export { kekOf } from './kek-of.ts'
export { configFileNames, findConfigFile, type LoadConfigOptions, loadConfig } from './load-config.ts'
export { keyPolicy, type OpenOptions, openTokenService, type TokenServiceParts } from './open-token-service.ts'
export { readModule } from './read-module.ts'
export { type Environment, type ResolveConfigOptions, type ResolvedConfig, resolveConfig } from './resolve-config.ts'
export {
  type RestoredService,
  type RestoreServiceOptions,
  restoreService,
  type UndoneChange,
} from './restore-service.ts'
export { planRings, type RingPlan } from './rings.ts'
export { isServerError, ServerError, type ServerErrorCode, serverErrorCodes, serverRemedies } from './server-error.ts'
export { type RunningTokenService, type StartOptions, startTokenService } from './start-token-service.ts'
