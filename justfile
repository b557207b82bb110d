# Auth on the command line, by short names: `just` lists them. Everything after a recipe's name goes to the command.
# Recipes run where you stand, so that the nearest countersign.config is found from there.

set positional-arguments

countersign := justfile_directory() / "node_modules" / ".bin" / "countersign"

# the recipes
[private]
default:
    @just --justfile {{ quote(justfile()) }} --list

# sign in; asks for name and password (--issuer URL the first time)
[no-cd, no-exit-message]
auth-login *args:
    @{{ quote(countersign) }} auth login "$@"

# who is signed in, where and until when
[no-cd, no-exit-message]
auth-status *args:
    @{{ quote(countersign) }} auth status "$@"

# print a fresh access token, and nothing else
[no-cd, no-exit-message]
auth-token *args:
    @{{ quote(countersign) }} auth token "$@"

# get a new access token now
[no-cd, no-exit-message]
auth-refresh *args:
    @{{ quote(countersign) }} auth refresh "$@"

# end the session here and at the service
[no-cd, no-exit-message]
auth-logout *args:
    @{{ quote(countersign) }} auth logout "$@"

# secrets that the service keeps: put, get, list, remove, import-fernet, rewrap
[no-cd, no-exit-message]
auth-credentials *args:
    @{{ quote(countersign) }} credentials "$@"
