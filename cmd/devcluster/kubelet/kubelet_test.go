package kubelet

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/stages"
)

func TestLogs(t *testing.T) {
	for _, test := range []struct {
		name        string
		annotations map[string]string
		want        string
	}{
		{"a Pod without annotations says that it is simulated", nil,
			"devcluster: container app is simulated and writes nothing\n"},
		{"a failing Pod says how it fails", map[string]string{stages.FailAnnotation: "crash-loop"},
			"devcluster: container app fails on demand: crash-loop\n"},
		{"the annotated text ends with a newline", map[string]string{stages.LogsAnnotation: "hello"}, "hello\n"},
		{"the annotated text may be empty", map[string]string{stages.LogsAnnotation: ""}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations}}
			if got := logs(pod, "app"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTail(t *testing.T) {
	const text = "one\ntwo\nthree\n"
	for lines, want := range map[string]string{
		"": text, "-1": text, "0": "", "1": "three\n", "2": "two\nthree\n", "9": text,
	} {
		if got := tail(text, lines); got != want {
			t.Errorf("tail(%q) = %q, want %q", lines, got, want)
		}
	}
}
