export { type EtlOptions, type EtlProgress, type EtlResult, runEtl } from './etl.ts'
export { EtlError, type EtlErrorCode, etlErrorCodes, etlRemedies } from './etl-error.ts'
export { openReportStore, type ReportStore } from './report-store.ts'
export { type AnalyticsOptions, startAnalytics } from './start-analytics.ts'
