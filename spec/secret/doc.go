// Package secret starts the programs that know secrets: flotilla-secrets, the
// helper process that holds SOPS and the SDKs of all secret back ends, and the
// Helm plugin named secrets. What they answer stays in memory; no secret is
// written to disk, put on a command line or into an error.
package secret
