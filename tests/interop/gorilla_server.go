// gorilla/websocket, for the interop tests: see ../harness/foreign.py for what it is told and does.
//
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pingPeriod   = time.Second
	pongDeadline = 5 * time.Second
)

var upgrader = websocket.Upgrader{
	Subprotocols:      []string{"echo.v2", "echo.v1"},
	EnableCompression: true,
	CheckOrigin:       func(*http.Request) bool { return true },
}

var (
	lock sync.Mutex // for last, and one writer at a time
	last string
)

func write(connection *websocket.Conn, kind int, data []byte) {
	lock.Lock()
	defer lock.Unlock()
	connection.WriteMessage(kind, data)
}

// As gorilla's own examples do it.
func keepAlive(connection *websocket.Conn, over chan struct{}) {
	ticker := time.NewTicker(pingPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			connection.WriteControl(websocket.PingMessage, nil, time.Now().Add(pingPeriod))
		case <-over:
			return
		}
	}
}

func obey(connection *websocket.Conn, order string) {
	what, rest, _ := strings.Cut(order, " ")
	deadline := time.Now().Add(pongDeadline)
	switch what {
	case "close":
		code, reason, _ := strings.Cut(rest, " ")
		number, _ := strconv.Atoi(code)
		connection.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(number, reason), deadline)
	case "ping":
		connection.WriteControl(websocket.PingMessage, []byte(rest), deadline)
	case "last":
		write(connection, websocket.TextMessage, []byte(last))
	case "drop":
		connection.Close()
	}
}

func serve(response http.ResponseWriter, request *http.Request) {
	connection, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	defer connection.Close()
	over := make(chan struct{})
	defer close(over)
	connection.SetReadDeadline(time.Now().Add(pongDeadline))
	connection.SetPongHandler(func(data string) error {
		connection.SetReadDeadline(time.Now().Add(pongDeadline))
		if data != "" {
			write(connection, websocket.TextMessage, []byte("pong "+data))
		}
		return nil
	})
	go keepAlive(connection, over)
	obeys := strings.HasPrefix(request.URL.Path, "/obey")
	for {
		kind, data, err := connection.ReadMessage()
		if closed, is := err.(*websocket.CloseError); is {
			lock.Lock()
			last = strings.TrimSpace(fmt.Sprintf("%d %s", closed.Code, closed.Text))
			lock.Unlock()
		}
		if err != nil {
			return
		}
		if obeys {
			obey(connection, string(data))
		} else {
			write(connection, kind, data)
		}
	}
}

func main() {
	arguments := os.Args[1:]
	http.HandleFunc("/", serve)
	go func() {
		log.Fatal(http.ListenAndServeTLS("127.0.0.1:"+arguments[1], arguments[2], arguments[3], nil))
	}()
	log.Fatal(http.ListenAndServe("127.0.0.1:"+arguments[0], nil))
}
