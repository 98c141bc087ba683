package conformance

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clients are how many work at once in the measurements.
const clients = 32

// startDynalite starts dynalite, a DynamoDB stand-in of npm: in memory, or in a LevelDB folder, which it does not sync.
func startDynalite(t testing.TB, name, node, modules, folder string) *endpoint {
	t.Helper()
	cmd := exec.Command(node, "-e", `require(process.argv[1])({createTableMs: 0, deleteTableMs: 0, updateTableMs: 0, path: process.argv[2]}).listen(0, "127.0.0.1",
		function () { console.log("listening at http://127.0.0.1:" + this.address().port) })`, filepath.Join(modules, "dynalite"))
	if folder != "" {
		cmd.Args = append(cmd.Args, folder)
	}
	url := startProgram(t, cmd, regexp.MustCompile(`listening at (http://\S+)`))
	return &endpoint{name, url, newClient(t), cmd.Process.Pid}
}

// startFloor starts what any server written with net/http costs: it reads a request and gives the reply to a get, and
// does nothing else. It is in this process, which spares it what a process of its own costs.
func startFloor(t testing.TB) *endpoint {
	reply := []byte(`{"Item":{"pk":{"S":"1"},"n":{"N":"1"},"text":{"S":"` + benchText + `"}}}`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			_, _ = w.Write(reply)
		}
	}))
	t.Cleanup(server.Close)
	return &endpoint{"net/http", server.URL, newClient(t), 0}
}

// rivals starts the other servers that this machine has and says which are missing.
func rivals(b *testing.B) (found []*endpoint) {
	b.Helper()
	if _, err := exec.LookPath("moto_server"); err == nil {
		found = append(found, startMoto(b))
	} else {
		b.Log("without moto: moto_server is not installed")
	}
	node, err := exec.LookPath("node")
	if modules := os.Getenv("FLOWCTL_NODE_MODULES"); err == nil && modules != "" {
		found = append(found, startDynalite(b, "dynalite", node, modules, ""), startDynalite(b, "dynalite-disk", node, modules, b.TempDir()))
	} else {
		b.Log("without dynalite: it needs node and FLOWCTL_NODE_MODULES")
	}
	return found
}

// cycle is one unit of a measured work: some requests one after the other. n is a number of its own.
type cycle func(c *rawConn, n int64) error

// messageCycle sends a message, receives one and deletes it.
func messageCycle(url string) cycle {
	send := rawRequest("sqs", "SendMessage", fmt.Sprintf(`{"QueueUrl":%q,"MessageBody":%q}`, url, strings.Repeat("x", 300)))
	receive := rawRequest("sqs", "ReceiveMessage", fmt.Sprintf(`{"QueueUrl":%q}`, url))
	deletion := rawHead("sqs", "DeleteMessage")
	before := fmt.Sprintf(`{"QueueUrl":%q,"ReceiptHandle":"`, url)
	return func(c *rawConn, _ int64) error {
		if _, err := c.do(send); err != nil {
			return err
		}
		for {
			reply, err := c.do(receive)
			if err != nil {
				return err
			}
			handle := receiptHandle(reply)
			if handle == nil {
				continue
			}
			c.out = strconv.AppendInt(append(c.out[:0], deletion...), int64(len(before)+len(handle)+len(`"}`)), 10)
			c.out = append(append(c.out, "\r\n\r\n"...), before...)
			c.out = append(append(c.out, handle...), `"}`...)
			_, err = c.do(c.out)
			return err
		}
	}
}

// receiptHandle finds the handle in a reply with one message, nil when there is none. No server escapes anything in it.
func receiptHandle(reply []byte) []byte {
	_, rest, found := bytes.Cut(reply, []byte(`"ReceiptHandle"`))
	if !found {
		return nil
	}
	_, rest, _ = bytes.Cut(rest, []byte(`"`))
	handle, _, _ := bytes.Cut(rest, []byte(`"`))
	return handle
}

const benchText = "a hundred bytes or so of text, which is what a small item of a small flow holds on an average day"

// benchItems is how many items the measured puts and gets are about.
const benchItems = 1000

// prebuilt makes one of these requests after the other.
func prebuilt(op string, count int, body func(n int) string) cycle {
	requests := make([][]byte, count)
	for n := range requests {
		requests[n] = rawRequest("dynamodb", op, body(n))
	}
	return func(c *rawConn, n int64) error {
		_, err := c.do(requests[n%int64(count)])
		return err
	}
}

func putCycle() cycle {
	return prebuilt("PutItem", 10*benchItems, func(n int) string {
		return fmt.Sprintf(`{"TableName":"things","Item":{"pk":{"S":"%d"},"n":{"N":"%d"},"text":{"S":%q}}}`, n%benchItems, n, benchText)
	})
}

func getCycle() cycle {
	return prebuilt("GetItem", benchItems, func(n int) string {
		return fmt.Sprintf(`{"TableName":"things","Key":{"pk":{"S":"%d"}}}`, n)
	})
}

// queryCycle reads one item by the condition of a query.
func queryCycle() cycle {
	return prebuilt("Query", benchItems, func(n int) string {
		return fmt.Sprintf(`{"TableName":"things","KeyConditionExpression":"pk = :pk","ExpressionAttributeValues":{":pk":{"S":"%d"}}}`, n)
	})
}

// work is what is measured of every server; of gives nil for a server that cannot do it.
type work struct {
	name string
	of   func(*endpoint) cycle
}

// prepare makes the queue and the table on the servers and says what to measure.
func prepare(b *testing.B, servers ...*endpoint) []work {
	b.Helper()
	messages := map[*endpoint]cycle{}
	for _, e := range servers {
		e.must(b, "dynamodb", "CreateTable", killTable)
		if !strings.HasPrefix(e.name, "dynalite") {
			messages[e] = messageCycle(e.must(b, "sqs", "CreateQueue", `{"QueueName":"work"}`)["QueueUrl"].(string))
		}
	}
	put, get, query := putCycle(), getCycle(), queryCycle()
	for _, e := range servers {
		c := newRawConn(e.url)
		defer c.close()
		for n := range int64(benchItems) {
			if err := put(c, n); err != nil {
				b.Fatal(err)
			}
		}
	}
	return []work{
		{"send+receive+delete", func(e *endpoint) cycle { return messages[e] }}, // nil for those without queues
		{"put", func(*endpoint) cycle { return put }},
		{"get", func(*endpoint) cycle { return get }},
		{"query", func(*endpoint) cycle { return query }},
	}
}

func (e *endpoint) reply(ctx context.Context, service, op, request string) (map[string]any, error) {
	o, err := e.call(ctx, service, op, request)
	if err == nil && o.code != "" {
		err = fmt.Errorf("%s %s: %s", e.name, op, o)
	}
	return o.body, err
}

// run does b.N cycles by all clients.
func run(b *testing.B, e *endpoint, work cycle) {
	b.Helper()
	var n atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range clients {
		all.Go(func() {
			c := newRawConn(e.url)
			defer c.close()
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := work(c, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
}

// BenchmarkStandIns is the stand-ins in this process, for profiles and counts of allocations.
func BenchmarkStandIns(b *testing.B) {
	e := startOurs(b)
	for _, w := range prepare(b, e) {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			run(b, e, w.of(e))
		})
	}
}

// BenchmarkThroughput measures the stand-ins, durable, beside moto and dynalite, which are not, and beside a server that
// only answers, and prints the ratios of the medians. The servers are processes of their own; the clients share their processors.
func BenchmarkThroughput(b *testing.B) {
	child := startChild(b, b.TempDir())
	b.Cleanup(child.kill)
	// dynalite syncs nothing: this is what the stand-ins do when they do as it does.
	relaxed := startChild(b, b.TempDir(), serveRelaxed+"=1")
	b.Cleanup(relaxed.kill)
	relaxed.name = "flowctl-relaxed"
	servers := append([]*endpoint{&child.endpoint, &relaxed.endpoint}, rivals(b)...)
	works := prepare(b, servers...)
	servers = append(servers, startFloor(b))
	for _, work := range works {
		b.Run(work.name, func(b *testing.B) {
			perSecond := map[string]*[rounds]float64{}
			for _, e := range servers {
				perSecond[e.name] = new([rounds]float64)
			}
			for round := range rounds {
				for _, e := range servers {
					if work.of(e) == nil {
						continue
					}
					b.Run(fmt.Sprintf("%s-%d", e.name, round+1), func(b *testing.B) {
						before := cpuTime(e.pid)
						run(b, e, work.of(e))
						b.ReportMetric(float64((cpuTime(e.pid)-before).Microseconds())/float64(b.N), "server-cpu-us/cycle")
						rate := float64(b.N) / b.Elapsed().Seconds()
						b.ReportMetric(rate, "cycles/s")
						perSecond[e.name][round] = rate // of the last and longest run
					})
				}
			}
			ours, unsynced := median(perSecond["flowctl"]), median(perSecond["flowctl-relaxed"])
			for _, e := range servers[2:] {
				if theirs := median(perSecond[e.name]); theirs > 0 {
					fmt.Printf("ratio %s, %d clients: flowctl %.0f/s, relaxed %.0f/s, %s %.0f/s: %.1f, relaxed %.1f\n",
						work.name, clients, ours, unsynced, e.name, theirs, ours/theirs, unsynced/theirs)
				}
			}
		})
	}
}

// rounds is how often each server is measured, in turns.
const rounds = 3

func median(rates *[rounds]float64) float64 {
	sorted := *rates
	slices.Sort(sorted[:])
	return sorted[rounds/2]
}

const held = 100_000

// fill puts 100,000 items of 100 bytes and 100,000 messages of 300 bytes.
func fill(b *testing.B, e *endpoint) {
	b.Helper()
	e.must(b, "dynamodb", "CreateTable", killTable)
	queue := e.must(b, "sqs", "CreateQueue", `{"QueueName":"work"}`)["QueueUrl"].(string)
	body := strings.Repeat("x", 300)
	var all sync.WaitGroup
	for c := range clients / 2 {
		all.Go(func() {
			for n := c; n < held/25; n += clients / 2 {
				var puts []string
				for i := range 25 {
					puts = append(puts, fmt.Sprintf(`{"PutRequest":{"Item":{"pk":{"S":"%d-%d"},"text":{"S":%q}}}}`, n, i, benchText))
				}
				if _, err := e.reply(b.Context(), "dynamodb", "BatchWriteItem", `{"RequestItems":{"things":[`+strings.Join(puts, ",")+`]}}`); err != nil {
					b.Error(err)
				}
			}
		})
		all.Go(func() {
			for n := c; n < held/10; n += clients / 2 {
				var entries []string
				for i := range 10 {
					entries = append(entries, fmt.Sprintf(`{"Id":"%d","MessageBody":%q}`, i, body))
				}
				if _, err := e.reply(b.Context(), "sqs", "SendMessageBatch", fmt.Sprintf(`{"QueueUrl":%q,"Entries":[%s]}`, queue, strings.Join(entries, ","))); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkStart measures the start of a process over 100,000 items and 100,000 messages until it has answered for both
// services, and its memory: what is its own, and the pages of the data file that the system keeps for it and takes back
// at need.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	first := startChild(b, dir)
	fill(b, &first.endpoint)
	own, file := memory(b, first.cmd.Process.Pid)
	fmt.Printf("after writing %d items and %d messages: %.0f MiB of its own, %.0f MiB of pages of the data file\n", held, held, own, file)
	first.kill()
	for b.Loop() {
		began := time.Now()
		c := startChild(b, dir)
		c.must(b, "dynamodb", "GetItem", `{"TableName":"things","Key":{"pk":{"S":"1-1"}}}`)
		c.must(b, "sqs", "ReceiveMessage", fmt.Sprintf(`{"QueueUrl":"%s/000000000000/work"}`, c.url))
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-answer")
		own, file := memory(b, c.cmd.Process.Pid)
		b.ReportMetric(own, "MiB-own")
		b.ReportMetric(file, "MiB-file")
		c.kill()
	}
}

// memory gives a process's resident memory in MiB: its own, and that of mapped files.
func memory(b *testing.B, pid int) (own, file float64) {
	b.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("memory is measured on Linux only: ", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch {
		case err != nil:
		case name == "RssAnon":
			own = kib / 1024
		case name == "RssFile":
			file = kib / 1024
		}
	}
	return own, file
}

// cpuTime is what a process has used of the processors, 0 where the system does not tell. Unlike the throughput it hardly
// depends on what else the machine does.
func cpuTime(pid int) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux architecture that Go knows
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // behind the program's name
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}
