// Keeps a message that cannot be drawn from taking the page with it: it is shown as its plain text.
import { Component, type ReactNode } from 'react'

interface Props {
  text: string
  children: ReactNode
}

export class Guard extends Component<Props, { failed: string | undefined }> {
  override state: { failed: string | undefined } = { failed: undefined }

  static getDerivedStateFromError(error: unknown): { failed: string } {
    return { failed: String(error) }
  }

  override render(): ReactNode {
    if (this.state.failed === undefined) return this.props.children
    return (
      <div className="raw-html" role="alert" title={this.state.failed}>
        {this.props.text}
      </div>
    )
  }
}
