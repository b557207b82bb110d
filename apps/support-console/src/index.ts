export { type ConsoleStartOptions, startConsole } from './start-console.ts'
