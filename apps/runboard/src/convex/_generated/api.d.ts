/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";
import type * as approvals from "../approvals.js";
import type * as audit from "../audit.js";
import type * as auth from "../auth.js";
import type * as crons from "../crons.js";
import type * as http from "../http.js";
import type * as jobs from "../jobs.js";
import type * as people from "../people.js";
import type * as repositories from "../repositories.js";
import type * as runners from "../runners.js";
import type * as runs from "../runs.js";
import type * as sweep from "../sweep.js";
import type * as workspaces from "../workspaces.js";

/**
 * A utility for referencing Convex functions in your app's API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
declare const fullApi: ApiFromModules<{
  approvals: typeof approvals;
  audit: typeof audit;
  auth: typeof auth;
  crons: typeof crons;
  http: typeof http;
  jobs: typeof jobs;
  people: typeof people;
  repositories: typeof repositories;
  runners: typeof runners;
  runs: typeof runs;
  sweep: typeof sweep;
  workspaces: typeof workspaces;
}>;
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;
