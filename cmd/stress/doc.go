// Package stress holds the promise of an apply against everything that may come
// in between: it ends in the wanted state, or back in the state before, or says
// precisely what could not be put back. It has tests only. They run the real
// binary on the simulated cluster, and compare what is in the cluster at the end.
//
// Whatever is random comes from a seed that a failing test prints; without
// FLOTILLA_STRESS it is always the same one. To repeat an environment, for a longer
// run, and with more releases:
//
//	go test ./cmd/stress -run TestRandomGraphs -seed 4711 -rounds 1 -v
//	FLOTILLA_STRESS=200 go test ./cmd/stress -timeout 10h
//	go test ./cmd/stress -run TestRandomGraphs -size 100 -rounds 20 -timeout 2h
//
// make stress does the second. The variable is the number of rounds; it also
// lets those tests run that take too long for every day. -keep leaves the folder
// of a failed round, with its state files and what flotilla said, and prints
// where.
//
// # What a round is
//
// A random environment (releases with needs across namespaces, Deployments, hook
// Jobs, custom resources, namespaces that the run creates) is applied and
// remembered: every object, and for each release the content and status of its
// newest revision. A changed version of it, with something that may fail, is
// applied with a random scope of --rollback, four such versions after each other.
// After each of them every release must be as before, or as wanted, whichever the
// report of flotilla claims; no release may say that an operation is in progress,
// no object may be there that no release knows of, and nothing may have started
// before what it needs had ended.
package stress
