// Command devcluster runs a real Kubernetes control plane on one machine with
// no container engine: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler and kwok, which plays the kubelets of a few nodes. Nothing is
// downloaded but Go modules. It exists for flotilla's tests and for trying
// flotilla by hand; it is a module of its own, so that the Kubernetes server
// code never enters flotilla's dependencies.
//
//	sh cmd/devcluster/build.sh bin/devcluster     # the first build takes minutes
//	bin/devcluster up --dir .devcluster           # returns when Pods can run
//	export KUBECONFIG=$(bin/devcluster kubeconfig --dir .devcluster)
//	bin/devcluster pause apiserver --dir .devcluster
//	bin/devcluster down --purge --dir .devcluster
//
// up --audit FILE also keeps an audit log of the API server.
//
// Certificates, logs (one file a component) and data live in the folder named
// by --dir, and nowhere else; several clusters may run side by side. Pods are
// simulated: a Deployment becomes ready at once and a Job completes at once,
// unless annotations of the Pod (so: of the Pod template) say otherwise:
//
//	devcluster.flotilla.sh/fail: crash-loop    waiting in CrashLoopBackOff, restarts counting up
//	devcluster.flotilla.sh/fail: image-pull    waiting in ImagePullBackOff
//	devcluster.flotilla.sh/fail: never-ready   Running, never Ready (and never completing)
//	devcluster.flotilla.sh/fail: job-failure   runs, then Failed with exit code 1 (restartPolicy
//	                                           Never or OnFailure only; ignored otherwise)
//	devcluster.flotilla.sh/delay: 3s           ready only after 3s; with restartPolicy Never or
//	                                           OnFailure: ready at once, ended after 3s
//	devcluster.flotilla.sh/delete-delay: 3s    stays Terminating for 3s
//	devcluster.flotilla.sh/logs: text          what "kubectl logs" answers
//
// The annotations are read whenever the Pod changes, so annotating a living
// Pod breaks it, and removing the annotation heals it. There is no exec, no
// port-forward, no network between Pods and no volume.
//
// # Decisions
//
// One supervisor process owns the components of a cluster: it is their parent,
// and they die with it (parent-death signal on Linux, and everywhere a pipe
// that each watches). Whether a cluster runs is therefore one question, whether
// its supervisor holds the lock on the data folder; a lock dies with its
// process, so there are no pid files that could lie. Rejected: detached
// components with pid files, checked through /proc, which cannot be right
// outside Linux and leave processes behind when half of them died.
//
// etcd does not sync to disk, so its data is only trusted within one boot of
// the machine; after a reboot "up" starts empty.
package main
