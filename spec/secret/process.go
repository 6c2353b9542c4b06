package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// protocol is the version of the messages below; cmd/flotilla-secrets
// documents them and holds the same types.
const protocol = 1

// patience is how long a helper gets to end by itself once its input is closed.
const patience = 5 * time.Second

type helloMessage struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
}

type requestMessage struct {
	ID     uint64        `json:"id"`
	Dir    string        `json:"dir,omitempty"`
	NoExec bool          `json:"noExec,omitempty"`
	Items  []itemMessage `json:"items"`
}

type itemMessage struct {
	Ref    string `json:"ref,omitempty"`
	Data   []byte `json:"data,omitempty"`
	Format Format `json:"format,omitempty"`
}

type replyMessage struct {
	ID    uint64          `json:"id"`
	Items []answerMessage `json:"items"`
}

type answerMessage struct {
	Text  []byte `json:"text,omitempty"`
	Value any    `json:"value,omitempty"`
	Error string `json:"error,omitempty"`
}

// process is a running helper. One goroutine reads its answers until it ends;
// close waits for that goroutine.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.Closer
	ended  chan struct{} // closed when no answer will come any more

	writing sync.Mutex

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan replyMessage
	err     error // why there are no more answers; the first reason stays, and is there before ended is closed
}

func startProcess(path string) (*process, error) {
	cmd := exec.Command(path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	// SDKs log what they like to stderr, secrets included: nobody reads it.
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	p := &process{cmd: cmd, stdin: stdin, stdout: stdout, ended: make(chan struct{}), waiting: map[uint64]chan replyMessage{}}
	go p.read(stdout)
	return p, nil
}

// read hands out the answers until the helper ends or talks nonsense.
func (p *process) read(stdout io.Reader) {
	decoder := json.NewDecoder(stdout)
	decoder.UseNumber()
	err := p.receive(decoder)
	if err != nil {
		// The text of what could not be read may hold a secret: it is not told.
		_ = p.cmd.Process.Kill() // it may have ended already
	}
	if exit := p.cmd.Wait(); err == nil {
		err = fmt.Errorf("%s ended early", p.cmd.Path)
		if exit != nil {
			err = fmt.Errorf("%w: %w", err, exit)
		}
	}
	p.because(err)
	close(p.ended)
}

func (p *process) because(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// kill ends the helper and closes the pipes too: what the helper has started
// may hold the other ends.
func (p *process) kill(err error) {
	p.because(err)
	_ = p.cmd.Process.Kill() // it may end by itself at this moment
	_ = p.stdin.Close()
	_ = p.stdout.Close()
}

// receive gives nil at the end of the helper's output.
func (p *process) receive(decoder *json.Decoder) error {
	var hello helloMessage
	switch err := decoder.Decode(&hello); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil || hello.Protocol == 0:
		return fmt.Errorf("%s is no flotilla-secrets: it does not begin with the protocol's version", p.cmd.Path)
	case hello.Protocol != protocol:
		return fmt.Errorf("%s (%s) speaks version %d of the protocol, this flotilla speaks %d: install the two together",
			p.cmd.Path, hello.Version, hello.Protocol, protocol)
	}
	for {
		var reply replyMessage
		switch err := decoder.Decode(&reply); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s does not keep to its protocol", p.cmd.Path)
		}
		p.mu.Lock()
		waiter := p.waiting[reply.ID]
		delete(p.waiting, reply.ID)
		p.mu.Unlock()
		if waiter == nil {
			return fmt.Errorf("%s answers what nobody asked", p.cmd.Path)
		}
		waiter <- reply // it has room for its one answer
	}
}

func (p *process) ask(ctx context.Context, r Request) ([]Answer, error) {
	request := requestMessage{Dir: r.Dir, NoExec: r.NoExec}
	for _, i := range r.Items {
		request.Items = append(request.Items, itemMessage(i))
	}
	waiter := make(chan replyMessage, 1)
	p.mu.Lock()
	p.last++
	request.ID = p.last
	p.waiting[request.ID] = waiter
	p.mu.Unlock()
	if err := p.deliver(ctx, request); err != nil {
		return nil, err
	}
	select {
	case reply := <-waiter:
		return answers(reply, len(r.Items))
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.ended:
	}
	select {
	case reply := <-waiter: // it was the last thing that the helper said
		return answers(reply, len(r.Items))
	default:
		return nil, p.why()
	}
}

// deliver writes a request. A helper that does not read it by the end of ctx is
// killed: whatever else is written to it would wait for ever.
func (p *process) deliver(ctx context.Context, request requestMessage) error {
	sent := make(chan error, 1)
	go func() { sent <- p.send(request) }()
	var err error
	select {
	case err = <-sent:
	case <-ctx.Done():
		select {
		case err = <-sent:
		default:
			p.kill(fmt.Errorf("%s does not read what it is asked", p.cmd.Path))
			<-sent
			return context.Cause(ctx)
		}
	}
	if err != nil {
		<-p.ended // the pipe breaks only when the helper is gone, which says more
		return p.why()
	}
	return nil
}

func (p *process) send(request requestMessage) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	_, err = p.stdin.Write(append(line, '\n'))
	return err
}

func (p *process) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// close does not wait for those who write: closing the pipe ends them, too.
func (p *process) close() error {
	err := p.stdin.Close()
	p.mu.Lock()
	busy := len(p.waiting) > 0 // with what nobody waits for any more
	p.mu.Unlock()
	closed := fmt.Errorf("%s was closed", p.cmd.Path)
	if busy {
		p.kill(closed)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.kill(closed)
		<-p.ended
	}
	if err != nil && !errors.Is(err, os.ErrClosed) { // it is closed when the helper ended by itself
		return fmt.Errorf("ending %s: %w", p.cmd.Path, err)
	}
	return nil
}

func answers(reply replyMessage, want int) ([]Answer, error) {
	if len(reply.Items) != want {
		return nil, fmt.Errorf("flotilla-secrets gave %d answers to %d questions", len(reply.Items), want)
	}
	out := make([]Answer, want)
	for i, a := range reply.Items {
		out[i] = Answer{Text: a.Text, Value: numbers(a.Value)}
		if a.Error != "" {
			out[i] = Answer{Err: errors.New(strings.TrimSpace(a.Error))}
		}
	}
	return out, nil
}

// numbers puts Go's numbers in the place of JSON's.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case map[string]any:
		for k, e := range v {
			v[k] = numbers(e)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = numbers(e)
		}
		return v
	default:
		return v
	}
}
