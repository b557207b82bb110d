export { type CmuxConfig, readConfig } from './config.ts'
export { type RunningCmux, type StartOptions, startCmux } from './start-cmux.ts'
