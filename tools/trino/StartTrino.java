/** What the server archive's own main class does. */
public class StartTrino {
  public static void main(String[] arguments) {
    new io.trino.server.Server().start("435");
  }
}
