package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// binary is the path of the attune binary.
type binary string

// process is a running server and a connection to it.
type process struct {
	command *exec.Cmd
	conn    *grpc.ClientConn
	// ready is the time from the start of the process to its ready line.
	ready time.Duration
}

// serve starts the server on free ports, with the flags that say where its state is.
func (b binary) serve(ctx context.Context, where ...string) (*process, error) {
	args := slices.Concat([]string{"serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"}, where)
	command := exec.CommandContext(ctx, string(b), args...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := command.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = command.Wait()
		return nil, fmt.Errorf("the server ended before it was ready: %w", err)
	}
	p := &process{command: command, ready: time.Since(began)}
	address, _, _ := strings.Cut(strings.TrimPrefix(line, "ready grpc="), " ")
	p.conn, err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return p, err
}

// stop ends the server with a signal and waits for its end.
func (p *process) stop(signal os.Signal) error {
	_ = p.conn.Close()
	if err := p.command.Process.Signal(signal); err != nil {
		return err
	}
	err := p.command.Wait()
	if signal == os.Kill {
		return nil
	}
	return err
}

// residentBytes is the server's resident memory now and at its peak.
func (p *process) residentBytes() (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = kilobytes << 10
		case "VmHWM:":
			peak = kilobytes << 10
		}
	}
	return now, peak, nil
}

// processor is the time that the server has spent on processors since its start.
func (p *process) processor() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	// After the name, which is in parentheses, the 12th and 13th field are the ticks in user and in
	// system mode, of which a second has 100.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields, ticks := strings.Fields(rest), int64(0)
	for _, field := range fields[min(11, len(fields)):min(13, len(fields))] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
