package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sample is what one run took.
type sample struct {
	Wall   time.Duration `json:"wallNs"`
	CPU    time.Duration `json:"cpuNs"`       // user and system, of all processes
	Memory int64         `json:"memoryBytes"` // of the largest process, resident
}

// measure runs commands one after the other in a folder, as one piece of work.
// A command that fails makes an error with the end of what it printed.
func measure(ctx context.Context, dir string, env []string, commands [][]string) (sample, error) {
	var total sample
	for _, line := range commands {
		cmd := exec.CommandContext(ctx, line[0], line[1:]...)
		cmd.Dir, cmd.Env = dir, env
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		began := time.Now()
		err := cmd.Run()
		total.Wall += time.Since(began)
		if err != nil {
			return total, fmt.Errorf("running %s: %w\n%s", strings.Join(line, " "), err, tail(out.String()))
		}
		// The times are those of the process and of all that it waited for.
		total.CPU += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			total.Memory = max(total.Memory, int64(usage.Maxrss)*maxrssUnit())
		}
	}
	return total, nil
}

func tail(text string) string {
	const kept = 2000
	return text[max(0, len(text)-kept):]
}

// median takes each column by itself.
func median(samples []sample) sample {
	return sample{
		Wall:   middle(samples, func(s sample) time.Duration { return s.Wall }),
		CPU:    middle(samples, func(s sample) time.Duration { return s.CPU }),
		Memory: middle(samples, func(s sample) int64 { return s.Memory }),
	}
}

func middle[N ~int64](samples []sample, of func(sample) N) N {
	values := make([]N, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}
