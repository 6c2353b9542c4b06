package journal

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJobOf(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want *Job
	}{
		{"no CI system", map[string]string{"BUILD_URL": "x", "USER": "me"}, nil},
		{"GitHub Actions", map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r",
			"GITHUB_RUN_ID": "7", "GITHUB_ACTOR": "alice", "GITHUB_TRIGGERING_ACTOR": "bob", "GITHUB_SHA": "abc"},
			&Job{"GitHub Actions", "https://github.com/o/r/actions/runs/7", "bob", "abc"}},
		{"half of a URL is none", map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"},
			&Job{System: "GitHub Actions"}},
		{"GitLab", map[string]string{"GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.example/o/r/-/jobs/1", "GITLAB_USER_LOGIN": "alice"},
			&Job{"GitLab CI", "https://gitlab.example/o/r/-/jobs/1", "alice", ""}},
		{"Jenkins, with credentials in its address", map[string]string{"JENKINS_URL": "x", "BUILD_URL": "https://u:p@ci.example/job/x/1/"},
			&Job{System: "Jenkins", URL: "https://ci.example/job/x/1/"}},
		{"Buildkite", map[string]string{"BUILDKITE": "true", "BUILDKITE_BUILD_URL": "https://buildkite.com/o/p/builds/1", "BUILDKITE_JOB_ID": "j"},
			&Job{System: "Buildkite", URL: "https://buildkite.com/o/p/builds/1#j"}},
		{"CircleCI", map[string]string{"CIRCLECI": "true", "CIRCLE_BUILD_URL": "https://circleci.com/gh/o/r/1", "CIRCLE_USERNAME": "alice"},
			&Job{System: "CircleCI", URL: "https://circleci.com/gh/o/r/1", Actor: "alice"}},
		{"Azure", map[string]string{"TF_BUILD": "True", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/o/", "SYSTEM_TEAMPROJECT": "My Project", "BUILD_BUILDID": "9"},
			&Job{System: "Azure Pipelines", URL: "https://dev.azure.com/o/My%20Project/_build/results?buildId=9"}},
		{"a pipeline that says so by itself", map[string]string{"CI_JOB_URL": "https://tekton.example/runs/1", "CI_COMMIT_SHA": "abc"},
			&Job{System: "CI", URL: "https://tekton.example/runs/1", Commit: "abc"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := JobOf(func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
