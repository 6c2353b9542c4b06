package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// The modes of helmfile's trackMode that make a difference; "helm" waits as the
// release's wait says.
const (
	trackKubedog = "kubedog"     // waits also without wait, and for Jobs
	trackLegacy  = "helm-legacy" // waits as Helm 3 did
)

// strategy says what is waited for beside hooks.
func strategy(options spec.Options) kube.WaitStrategy {
	switch {
	case options.Track.Mode != trackKubedog && !mustWait(options):
		return kube.HookOnlyStrategy
	case options.Track.Mode == trackLegacy:
		return kube.LegacyStrategy
	default:
		return kube.StatusWatcherStrategy
	}
}

// mustWait is as in Helm, which cannot know of a failure it does not wait for.
func mustWait(options spec.Options) bool {
	return options.Wait || options.WaitForJobs || options.RollbackOnFailure
}

// waitForJobs: kubedog follows Jobs to their end.
func waitForJobs(options spec.Options) bool {
	return options.WaitForJobs || options.Track.Mode == trackKubedog
}

// wait waits for what is tracked, shows its logs if wanted, and decides what a
// failure means: kubedog only warns of it, unless trackFailOnError or the
// release's own wait says otherwise.
func (w *waiter) wait(resources kube.ResourceList, timeout time.Duration, judged judge) error {
	c := w.client
	list := resources.Filter(func(info *resource.Info) bool { return tracks(c.options.Track, info) })
	if c.options.Track.Mode == trackKubedog && c.options.Track.Timeout > 0 {
		timeout = c.options.Track.Timeout
	}
	unfollow := c.follow(list)
	defer unfollow()
	var err error
	if w.legacy {
		err = c.awaitLegacy(list, timeout, judged)
	} else {
		err = c.await(list, timeout, judged)
	}
	if errors.Is(err, ErrNotReady) && !mustWait(c.options) && !c.options.Track.FailOnError {
		c.warn(err)
		return nil
	}
	return err
}

// tracks applies helmfile's filters: named resources beat kinds, and a kind that
// is skipped beats one that is tracked (its pkg/resource/filter.go). They are
// kubedog's: the other modes wait for everything (shouldUseKubedog of its
// pkg/state/helmx.go).
func tracks(track spec.Track, info *resource.Info) bool {
	if track.Mode != trackKubedog {
		return true
	}
	kind := info.Mapping.GroupVersionKind.Kind
	is := func(name string) bool { return strings.EqualFold(name, kind) }
	if len(track.Resources) > 0 {
		return slices.ContainsFunc(track.Resources, func(r spec.TrackResource) bool {
			return r != spec.TrackResource{} && (r.Kind == "" || is(r.Kind)) && (r.Name == "" || r.Name == info.Name) &&
				(r.Namespace == "" || r.Namespace == info.Namespace)
		})
	}
	return !slices.ContainsFunc(track.SkipKinds, is) && (len(track.Kinds) == 0 || slices.ContainsFunc(track.Kinds, is))
}

// awaitLegacy is Helm 3's way: it asks every two seconds whether objects are
// ready by rules of its own, and a failure ends it only with the time. Which
// objects were not ready it does not say, so they are looked at afterwards.
func (c *client) awaitLegacy(list kube.ResourceList, timeout time.Duration, judged judge) error {
	//lint:ignore SA1019 Helm's legacy waiter takes its context from nowhere else
	c.WaitContext = c.ctx
	helm, err := c.Client.GetWaiter(kube.LegacyStrategy)
	if err != nil {
		return err
	}
	if waitForJobs(c.options) {
		err = helm.WaitWithJobs(list, timeoutOf(timeout))
	} else {
		err = helm.Wait(list, timeoutOf(timeout))
	}
	if err == nil {
		return nil
	}
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	verdicts := make([]verdict, len(list))
	for i, info := range list {
		if getErr := info.Get(); getErr != nil {
			verdicts[i] = verdict{status: status.UnknownStatus, message: getErr.Error()}
			continue
		}
		verdicts[i] = firstLook(info, judged)
	}
	if found := c.unsettled(list, verdicts, timeoutOf(timeout)); found != nil {
		return found
	}
	return fmt.Errorf("%w after %s: %w", ErrNotReady, timeoutOf(timeout), err)
}

// lastWords is what logs have left to come when a wait has ended.
const lastWords = 500 * time.Millisecond

// follow shows the logs of what is waited for, if wanted, until the wait ends.
func (c *client) follow(list kube.ResourceList) (unfollow func()) {
	if !c.options.Track.Logs || c.logs == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(c.ctx)
	var following sync.WaitGroup
	for _, info := range list {
		of := cluster.LogsOf{Object: objectID(info), Since: c.began, To: c.logs}
		following.Go(func() { c.to.FollowLogs(ctx, of) })
	}
	return func() {
		time.AfterFunc(lastWords, cancel)
		following.Wait()
		cancel()
	}
}

// warn tells of a wait that failed and does not fail the release, with what was
// found out about it.
func (c *client) warn(err error) {
	c.mu.Lock()
	troubles := c.troubles
	c.troubles = nil
	c.mu.Unlock()
	if c.note != nil {
		c.note(err.Error() + told(troubles))
	}
	if !c.options.Track.FailedLogs || c.logs == nil {
		return
	}
	for _, t := range troubles {
		for _, tail := range t.Logs {
			_, _ = io.WriteString(c.logs(tail.Pod, tail.Container), strings.Join(tail.Lines, "\n")+"\n")
		}
	}
}

func told(troubles []state.Trouble) string {
	var b strings.Builder
	for _, t := range troubles {
		if t.Message != "" {
			fmt.Fprintf(&b, "; %s: %s", t.Object, t.Message)
		}
	}
	return b.String()
}
