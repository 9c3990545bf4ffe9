<?php
/**
 * Leaves no visitor's data behind in WooCommerce's queue.
 *
 * @package PixelConnector
 */

namespace PixelConnector;

defined( 'ABSPATH' ) || exit;

/**
 * Action Scheduler keeps completed actions with their arguments for 30 days. Ours hold a visitor's address and cart, so
 * they are deleted once they are delivered, their log lines with them.
 */
final class QueueTidying {

	/**
	 * Actions of ours that have run in this request.
	 *
	 * @var bool[] By action id.
	 */
	private $delivered = array();

	/**
	 * Adds the hooks.
	 */
	public function register(): void {
		Guard::on( 'action_scheduler_after_execute', array( $this, 'note' ), 10, 2 );
		Guard::on( 'action_scheduler_completed_action', array( $this, 'remove' ), 20 );
	}

	/**
	 * Notes an action that has delivered one of our bodies.
	 *
	 * @param mixed $action_id Action.
	 * @param mixed $action    What it was.
	 */
	public function note( $action_id, $action = null ): void {
		if ( ! is_object( $action ) || 'woocommerce_deliver_webhook_async' !== $action->get_hook() ) {
			return;
		}
		$arguments = $action->get_args();
		$text      = $arguments['arg'] ?? null;
		if ( is_string( $text ) && 0 === strpos( $text, '{"event_id":' ) ) {
			$this->delivered[ (int) $action_id ] = true;
		}
	}

	/**
	 * Deletes it when it is complete.
	 *
	 * @param mixed $action_id Action.
	 */
	public function remove( $action_id ): void {
		if ( isset( $this->delivered[ (int) $action_id ] ) && class_exists( '\ActionScheduler' ) ) {
			unset( $this->delivered[ (int) $action_id ] );
			\ActionScheduler::store()->delete_action( (int) $action_id );
		}
	}
}
