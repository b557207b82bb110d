export { CliError, type CliErrorCode, cliErrorCodes, cliRemedies, type ExitCode, isCliError } from './failure.ts'
export { type CliIo, processIo } from './io.ts'
export { runCountersign } from './program.ts'
