/** What is shown in the place of something that broke: what happened, and a way on. */
import { Component, type ComponentChildren } from "preact";

interface Props {
  /** What it is that may break, as a heading says it. */
  readonly what: string;
  readonly children: ComponentChildren;
}

interface State {
  readonly error: Error | null;
}

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null };

  static override getDerivedStateFromError(error: unknown): State {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return <Failure what={this.props.what} error={error} />;
  }
}

/** An error that ended something. */
export function Failure({ what, error }: { readonly what: string; readonly error: Error }) {
  return (
    <section class="failure" role="alert">
      <h2>{what} has stopped</h2>
      <p>{error.message}</p>
      <p>
        <button type="button" onClick={() => location.reload()}>
          Load the page anew
        </button>{" "}
        <a href="#/">or begin from scratch</a>
      </p>
    </section>
  );
}
