package journal

import (
	"net/url"
	"strings"
)

// Job is the job of a CI system that started a run.
type Job struct {
	System string `json:"system"`
	URL    string `json:"url,omitempty"`
	Actor  string `json:"actor,omitempty"`  // who started the job, as that system calls them
	Commit string `json:"commit,omitempty"` // that the job works on
}

// system is how a CI system tells a job about itself: in the documents of each
// under "predefined" or "environment variables".
type system struct {
	name   string
	mark   string   // is set in its jobs and nowhere else
	url    []string // variables, and what is between them as it is after "="
	actor  []string // the first that is set
	commit string
}

// systems are looked through in this order: some of them run others.
func systems() []system {
	return []system{
		{"GitHub Actions", "GITHUB_ACTIONS", []string{"GITHUB_SERVER_URL", "=/", "GITHUB_REPOSITORY", "=/actions/runs/", "GITHUB_RUN_ID"},
			[]string{"GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"}, "GITHUB_SHA"},
		{"GitLab CI", "GITLAB_CI", []string{"CI_JOB_URL"}, []string{"GITLAB_USER_LOGIN"}, "CI_COMMIT_SHA"},
		{"Buildkite", "BUILDKITE", []string{"BUILDKITE_BUILD_URL", "=#", "BUILDKITE_JOB_ID"}, []string{"BUILDKITE_BUILD_CREATOR"}, "BUILDKITE_COMMIT"},
		{"CircleCI", "CIRCLECI", []string{"CIRCLE_BUILD_URL"}, []string{"CIRCLE_USERNAME"}, "CIRCLE_SHA1"},
		{"Azure Pipelines", "TF_BUILD", []string{"SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECT", "=/_build/results?buildId=", "BUILD_BUILDID"},
			[]string{"BUILD_REQUESTEDFOR"}, "BUILD_SOURCEVERSION"},
		{"Bitbucket Pipelines", "BITBUCKET_BUILD_NUMBER", []string{"BITBUCKET_GIT_HTTP_ORIGIN", "=/pipelines/results/", "BITBUCKET_BUILD_NUMBER"}, nil, "BITBUCKET_COMMIT"},
		{"Drone", "DRONE", []string{"DRONE_BUILD_LINK"}, []string{"DRONE_BUILD_TRIGGER"}, "DRONE_COMMIT_SHA"},
		{"TeamCity", "TEAMCITY_VERSION", []string{"BUILD_URL"}, nil, "BUILD_VCS_NUMBER"},
		{"Jenkins", "JENKINS_URL", []string{"BUILD_URL"}, []string{"BUILD_USER_ID"}, "GIT_COMMIT"},
		// Tekton and Argo tell a job nothing by themselves; pipelines set these.
		{"CI", "CI_JOB_URL", []string{"CI_JOB_URL"}, nil, "CI_COMMIT_SHA"},
	}
}

// JobOf finds out by the environment variables which job of a CI system this is;
// nil: of none that is known. Credentials in its URL are left out.
func JobOf(lookup func(string) (string, bool)) *Job {
	get := func(name string) string { value, _ := lookup(name); return value }
	for _, s := range systems() {
		if get(s.mark) == "" {
			continue
		}
		job := &Job{System: s.name, URL: s.address(get), Commit: get(s.commit)}
		for _, name := range s.actor {
			if job.Actor == "" {
				job.Actor = get(name)
			}
		}
		return job
	}
	return nil
}

// address is empty where a variable is missing: half a URL leads nowhere.
func (s system) address(get func(string) string) string {
	var b strings.Builder
	for _, part := range s.url {
		text, fixed := strings.CutPrefix(part, "=")
		if !fixed {
			if text = get(part); text == "" {
				return ""
			}
		}
		b.WriteString(text)
	}
	parsed, err := url.Parse(b.String())
	if err != nil {
		return ""
	}
	parsed.User = nil
	return parsed.String()
}
