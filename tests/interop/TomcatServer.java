// Embedded Tomcat, for the interop tests: see ../harness/foreign.py for what it is told and does.
//
// SPDX-License-Identifier: MIT

import jakarta.servlet.ServletContext;
import jakarta.websocket.CloseReason;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.PongMessage;
import jakarta.websocket.RemoteEndpoint;
import jakarta.websocket.Session;
import jakarta.websocket.server.ServerContainer;
import jakarta.websocket.server.ServerEndpointConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;
import org.apache.tomcat.websocket.server.WsSci;

public class TomcatServer {
    private static final int PING_MS = 1000;
    private static final long PONG_DEADLINE_MS = 5000;
    private static final int MAX_MESSAGE = 1 << 25;

    private static volatile String last = "";
    private static final Timer timer = new Timer(true);

    /** What a path of two parts gets: /echo/1, /obey/2, and /default/3 with Tomcat's own limits. */
    public static class Echo extends Endpoint {
        private TimerTask pings;

        @Override
        public void onOpen(Session session, EndpointConfig config) {
            RemoteEndpoint.Basic remote = session.getBasicRemote();
            String path = session.getRequestURI().getPath();
            boolean obeys = path.startsWith("/obey");

            if (!path.startsWith("/default")) {
                session.setMaxTextMessageBufferSize(MAX_MESSAGE);
                session.setMaxBinaryMessageBufferSize(MAX_MESSAGE);
            }
            session.getUserProperties().put("org.apache.tomcat.websocket.READ_IDLE_TIMEOUT_MS", PONG_DEADLINE_MS);
            session.addMessageHandler(String.class, new MessageHandler.Whole<String>() {
                @Override
                public void onMessage(String text) {
                    try {
                        if (obeys) {
                            obey(session, text);
                        } else {
                            remote.sendText(text);
                        }
                    } catch (IOException gone) {
                        // onClose follows.
                    }
                }
            });
            session.addMessageHandler(ByteBuffer.class, new MessageHandler.Whole<ByteBuffer>() {
                @Override
                public void onMessage(ByteBuffer data) {
                    try {
                        remote.sendBinary(data);
                    } catch (IOException gone) {
                        // onClose follows.
                    }
                }
            });
            session.addMessageHandler(PongMessage.class, new MessageHandler.Whole<PongMessage>() {
                @Override
                public void onMessage(PongMessage pong) {
                    String data = StandardCharsets.UTF_8.decode(pong.getApplicationData()).toString();
                    try {
                        if (!data.isEmpty()) {
                            remote.sendText("pong " + data);
                        }
                    } catch (IOException gone) {
                        // onClose follows.
                    }
                }
            });
            pings = new TimerTask() {
                @Override
                public void run() {
                    try {
                        session.getBasicRemote().sendPing(ByteBuffer.allocate(0));
                    } catch (IOException | IllegalStateException gone) {
                        cancel();
                    }
                }
            };
            timer.schedule(pings, PING_MS, PING_MS);
        }

        private void obey(Session session, String order) throws IOException {
            String[] words = order.split(" ", 2);
            String rest = words.length > 1 ? words[1] : "";

            switch (words[0]) {
            case "close":
                String[] reason = rest.split(" ", 2);
                int code = Integer.parseInt(reason[0]);
                session.close(new CloseReason(CloseReason.CloseCodes.getCloseCode(code),
                        reason.length > 1 ? reason[1] : null));
                break;
            case "ping":
                session.getBasicRemote().sendPing(ByteBuffer.wrap(rest.getBytes(StandardCharsets.UTF_8)));
                break;
            case "last":
                session.getBasicRemote().sendText(last);
                break;
            default:
                break;
            }
        }

        @Override
        public void onClose(Session session, CloseReason reason) {
            pings.cancel();
            String phrase = reason.getReasonPhrase();
            last = (reason.getCloseCode().getCode() + " " + (phrase == null ? "" : phrase)).trim();
        }
    }

    private static Connector listenOn(Tomcat tomcat, int port) {
        Connector connector = new Connector();

        connector.setPort(port);
        connector.setProperty("address", "127.0.0.1");
        tomcat.getService().addConnector(connector);
        return connector;
    }

    public static void main(String[] arguments) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(arguments[4]);
        listenOn(tomcat, Integer.parseInt(arguments[0]));

        Connector secure = listenOn(tomcat, Integer.parseInt(arguments[1]));
        SSLHostConfig tls = new SSLHostConfig();
        SSLHostConfigCertificate certificate =
                new SSLHostConfigCertificate(tls, SSLHostConfigCertificate.Type.EC);
        certificate.setCertificateFile(arguments[2]);
        certificate.setCertificateKeyFile(arguments[3]);
        tls.addCertificate(certificate);
        secure.setSecure(true);
        secure.setScheme("https");
        secure.setProperty("SSLEnabled", "true");
        secure.addSslHostConfig(tls);

        Context context = tomcat.addContext("", arguments[4]);
        Tomcat.addServlet(context, "default", new DefaultServlet());
        context.addServletMappingDecoded("/", "default", false);
        context.addServletContainerInitializer((classes, servletContext) -> {
            new WsSci().onStartup(classes, servletContext);
            deploy(servletContext);
        }, null);
        tomcat.start();
        tomcat.getServer().await();
    }

    private static void deploy(ServletContext servletContext) {
        ServerContainer container =
                (ServerContainer) servletContext.getAttribute("jakarta.websocket.server.ServerContainer");
        try {
            container.addEndpoint(ServerEndpointConfig.Builder.create(Echo.class, "/{kind}/{number}")
                    .subprotocols(List.of("echo.v2", "echo.v1")).build());
        } catch (jakarta.websocket.DeploymentException error) {
            throw new IllegalStateException(error);
        }
    }
}
