package engine

import (
	"context"
	"errors"
	"testing"

	rcommon "helm.sh/helm/v4/pkg/release/common"

	"github.com/flotilla-sh/flotilla/state"
)

func TestInstallLeavesAReleaseAloneThatSomebodyElseInstalled(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: {{ .Values.v | quote }}\n"}), "theirs")
	_, want := f.wanted(r, map[string]any{"v": "mine"})
	f.mustApply(r, map[string]any{"v": "theirs"})
	for _, status := range []rcommon.Status{rcommon.StatusDeployed, rcommon.StatusFailed, rcommon.StatusPendingInstall} {
		f.setStatus(r, 1, status)
		if err := f.Install(ctx, r, want); !errors.Is(err, state.ErrStale) {
			t.Errorf("installing over a %s release: %v", status, err)
		}
		f.wantHistory(r, "1="+string(status))
	}
}
