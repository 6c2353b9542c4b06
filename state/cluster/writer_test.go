package cluster

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWriterIsTheLastFieldManager(t *testing.T) {
	at := func(manager string, second int64) metav1.ManagedFieldsEntry {
		when := metav1.NewTime(time.Unix(second, 0))
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &when}
	}
	tests := []struct {
		name   string
		fields []metav1.ManagedFieldsEntry
		want   string
	}{
		{"nobody", nil, ""},
		{"one", []metav1.ManagedFieldsEntry{at("helm", 1)}, "helm"},
		{"the later of two", []metav1.ManagedFieldsEntry{at("kubectl", 5), at("helm", 1)}, "kubectl"},
		{"one of which nothing is known", []metav1.ManagedFieldsEntry{at("helm", 1), {Manager: "old"}}, "helm"},
	}
	for _, tt := range tests {
		if got := writer(tt.fields); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
